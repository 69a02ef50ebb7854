"""Trained runs in the forms that other tools load: ONNX, programs of torch.export, folders to hand on."""
