"""The commands of the command line, one module each; they print what the other rooms compute."""
