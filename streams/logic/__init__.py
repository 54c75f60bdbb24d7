"""What decides anything, as pure functions and small classes: no Faust, Kafka, SQL or clock here."""
