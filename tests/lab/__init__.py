"""Real PostgreSQL hosts on one machine, and real faults. See README.md."""
