"""What a rehearsal needs beside the migrations: rows to rehearse with, a look at each statement, and a report."""
