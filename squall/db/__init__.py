"""The database: tables, migrations, partitions, connections."""
