"""Pages and answers for operators: is it alive, can it serve, what does it count."""
