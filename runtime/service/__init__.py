"""`edgelstm run` as a long-lived process: configuration, loop, state, live page, systemd."""
