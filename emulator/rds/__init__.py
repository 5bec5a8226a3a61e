"""RDS: moto's, with the references checked and what it loses of Aurora clusters and instances."""
