"""Backups: whole or not there, private, sealed by a manifest, and proven before they are needed."""
