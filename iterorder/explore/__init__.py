"""The browser explorer: one page, its server on the loopback interface, and what they say to each other."""
