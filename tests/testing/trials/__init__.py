"""Small wrong implementations, each of which the compliance kit must fail, by the cases meant for it."""
