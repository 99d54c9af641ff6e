"""The clock rings here and the outbox is delivered here; nowhere else is anything sent."""
