"""What runs wrote, and when: plain files that are written without us and read by offset."""
