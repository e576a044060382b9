"""How providers are reached: the seam, and what is behind it over HTTP/1.1 and HTTP/2."""
