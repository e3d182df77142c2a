"""Diffusion transformer (Peebles and Xie, 2023) over a chunk of actions, modulated by observations and noise level.

Small on purpose and fast on CPUs: one modulation for all layers plus a learned offset each (PixArt's adaLN-single),
several actions in a token, attention as two matrix products (the fused kernel is slower on so few tokens).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from core.policy.config import DitConfig
from core.policy.denoiser import Denoiser, LevelEmbedding
from core.policy.layout import PlannerLayout


class Dit(Denoiser):
    """Noise predictor; starts by predicting zero (all gates and the last layer are zero)."""

    def __init__(self, layout: PlannerLayout, config: DitConfig) -> None:
        """Raises ValueError when actions_per_token does not divide the chunk or makes tokens larger than the width."""
        super().__init__()
        if layout.action_chunk % config.actions_per_token:
            raise ValueError(
                f"actions_per_token must divide the chunk of {layout.action_chunk}, got {config.actions_per_token}"
            )
        self.config = config
        self.tokens = layout.action_chunk // config.actions_per_token
        token_size, width = config.actions_per_token * layout.action_size, config.width
        if width < token_size:
            raise ValueError(
                f"the noise of a token of {token_size} values does not pass through a width of {width}: "
                "use fewer actions_per_token or a larger width"
            )
        modulation = 8 * width  # shift, scale and gate of both halves of a block; shift and scale of the output
        self.encoder = nn.Sequential(
            nn.Linear(layout.observation_horizon * layout.observation_size, config.encoder_width),
            nn.SiLU(),
            nn.Linear(config.encoder_width, width),
            nn.SiLU(),
            nn.Linear(width, modulation),
        )
        self.levels = LevelEmbedding(modulation)
        self.embed = nn.Linear(token_size, width)
        self.position = nn.Parameter(0.02 * torch.randn(self.tokens, width))
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.layers))
        self.out = nn.Linear(width, token_size)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        encoder_end = self.encoder[-1]
        assert isinstance(encoder_end, nn.Linear)
        for last in (encoder_end, self.levels.out, self.out):
            nn.init.zeros_(last.weight)

    def encode(self, obs: Float[Tensor, "B To Do"]) -> Float[Tensor, "B C"]:
        """Modulation by the observations."""
        return self.encoder(obs.flatten(1))

    def embed_levels(self, level: Int[Tensor, "S"]) -> Float[Tensor, "S C"]:
        """Modulation by the noise level."""
        return self.levels(level)

    def forward(self, x: Float[Tensor, "B Tp Da"], condition: Float[Tensor, "B C"]) -> Float[Tensor, "B Tp Da"]:
        """Noise in x."""
        width = self.config.width
        blocks, end = condition[:, None].split((6 * width, 2 * width), dim=-1)  # (B, 1, .)
        h = self.embed(x.reshape(x.shape[0], self.tokens, -1)) + self.position  # (B, tokens, width)
        for block in self.blocks:
            h = block(h, blocks)
        shift, scale = end.chunk(2, dim=-1)
        return self.out(_modulate(h, shift, scale)).reshape(x.shape)


class _Block(nn.Module):
    """Attention, then a perceptron, each on a normalised, shifted and scaled input, each added through a gate."""

    def __init__(self, config: DitConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.offset = nn.Parameter(torch.zeros(6 * width))
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.up = nn.Linear(width, config.mlp_ratio * width)
        self.down = nn.Linear(config.mlp_ratio * width, width)

    def forward(self, h: Float[Tensor, "B T W"], modulation: Float[Tensor, "B 1 M"]) -> Float[Tensor, "B T W"]:
        """(B, tokens, width) -> the same."""
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = (modulation + self.offset).chunk(6, dim=-1)
        h = h + gate_a * self._attend(_modulate(h, shift_a, scale_a))
        return h + gate_m * self.down(nn.functional.gelu(self.up(_modulate(h, shift_m, scale_m)), approximate="tanh"))

    def _attend(self, h: Tensor) -> Tensor:
        b, t, width = h.shape
        q, k, v = self.qkv(h).view(b, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5).softmax(dim=-1)  # (B, H, T, T)
        return self.project((weights.to(v.dtype) @ v).transpose(1, 2).reshape(b, t, width))


def _modulate(h: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return torch.addcmul(shift, nn.functional.layer_norm(h, h.shape[-1:]), 1 + scale)
