"""``seth-pusher new-plugin``: writes a complete distribution of a small plugin that holds, to be changed from there."""
