"""What every screen uses: questions, help, footer, text that is safe to show, signals."""
