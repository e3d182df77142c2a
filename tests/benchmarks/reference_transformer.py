"""What the diffusion transformer is measured against: the usual decoder of diffusion policies, of plain torch layers.

One token an action; the noise level and each observation are tokens of a memory that every layer attends to, as in
Diffusion Policy (Chi et al., 2023). No dropout, so that both sides do the same work.
"""

import math

import torch
from torch import Tensor, nn

from core.policy.layout import PlannerLayout


class ReferenceTransformer(nn.Module):
    """Noise predictor: eps = net(x, level, obs)."""

    def __init__(self, layout: PlannerLayout, width: int = 256, layers: int = 4, heads: int = 4) -> None:
        super().__init__()
        self.width = width
        self.embed = nn.Linear(layout.action_size, width)
        self.position = nn.Parameter(0.02 * torch.randn(1, layout.action_chunk, width))
        self.observe = nn.Linear(layout.observation_size, width)
        self.memory_position = nn.Parameter(0.02 * torch.randn(1, layout.observation_horizon + 1, width))
        self.memory = nn.Sequential(nn.Linear(width, 4 * width), nn.Mish(), nn.Linear(4 * width, width))
        layer = nn.TransformerDecoderLayer(
            width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.decoder = nn.TransformerDecoder(layer, layers)
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, layout.action_size))
        mask = torch.full((layout.action_chunk, layout.action_chunk), -math.inf).triu(1)
        self.register_buffer("causal", mask)

    def forward(self, x: Tensor, level: Tensor, obs: Tensor) -> Tensor:
        """(B, Tp, Da), (B,), (B, To, Do) -> (B, Tp, Da)."""
        frequency = torch.exp(-math.log(1e4) * torch.arange(self.width // 2) / (self.width // 2 - 1))
        angle = level[:, None].float() * frequency
        time = torch.cat((angle.sin(), angle.cos()), dim=-1)[:, None]
        memory = self.memory(torch.cat((time, self.observe(obs)), dim=1) + self.memory_position)
        h = self.decoder(self.embed(x) + self.position, memory, tgt_mask=self.causal)
        return self.out(h)
