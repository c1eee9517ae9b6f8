"""The command lines. Alone here: printing, prompting, exiting, reading the environment and the clock."""
