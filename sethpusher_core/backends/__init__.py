"""What joins the nodes: the contract (``base``) and the one that needs no other process (``memory``)."""
