"""What comes in and goes out as workbooks and CSV files."""
