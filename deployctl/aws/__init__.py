"""One adapter a service: AWS behind the ports, its errors translated once, its requests counted."""
