"""Who belongs where, who holds which post, and how people are found, joined and told apart."""
