"""The model: encoder, pre-training, fine-tuning, metrics, baselines."""
