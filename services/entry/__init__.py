"""Console accounts and how one gets in: passwords, second factors, scans, limits."""
