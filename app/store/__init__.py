"""What softsell keeps: a SQLite file, or a PostgreSQL database by URL; the only package that speaks SQL."""
