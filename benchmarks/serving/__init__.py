r"""What serving costs: rankings for everyone, and a service over HTTP."""
