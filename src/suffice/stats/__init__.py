"""Decision engines: pure mathematics over numpy, no I/O."""
