"""Networks as ONNX files: written, compared with the original, run by ONNX Runtime."""
