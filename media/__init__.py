"""The data plane: moves audio, knows legs and nothing of accounts or WhatsApp."""
