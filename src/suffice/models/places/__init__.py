"""Where models are: addresses, providers, settings, prices, who may see the data."""
