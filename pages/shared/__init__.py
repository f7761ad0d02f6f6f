"""What the pages share. Page files stay thin: `shell.begin`, then one call into a module here."""
