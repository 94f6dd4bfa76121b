"""What explain shows, where it shows it: terminal, notebook, page, graph and plot."""
