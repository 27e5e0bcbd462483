"""One exchange: bytes out, bytes in, and the tape that records them."""
