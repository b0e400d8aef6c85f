"""How the installation is, for load balancers and Prometheus."""
