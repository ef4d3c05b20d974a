"""The local control socket of a running site: the commands `reload` and `cameras` change the site through it."""
