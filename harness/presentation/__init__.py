"""What people look at: tables, progress and pictures. It measures nothing."""
