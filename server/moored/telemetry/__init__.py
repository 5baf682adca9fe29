"""What moored says of itself to those who run it: traces and logs. Depends on no other room."""
