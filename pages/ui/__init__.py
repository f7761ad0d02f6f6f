"""What the pages draw: a package a page, and what all of them share in `frame`, `parts` and `jobs`."""
