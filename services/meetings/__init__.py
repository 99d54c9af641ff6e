"""The calendar, the gatherings that follow from it, who came and who asked leave."""
