"""Which models providers have: their own lists, kept for a while; what is known of each model; what operators selected."""
