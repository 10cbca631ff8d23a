"""The schema that this version of bench speaks; the newest of `migrations/versions` leads to it."""

HEAD = "0006"
