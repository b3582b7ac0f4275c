# The first line is promised; the libraries' versions are the machine's.
tamis --version | head -n 1
tamis --version | sed -n '2s/ .*//p'
