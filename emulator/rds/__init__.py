"""RDS: moto's, with the references checked, what it loses of Aurora, and real MySQL servers behind clusters."""
