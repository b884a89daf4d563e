"""Files -> migrations."""
