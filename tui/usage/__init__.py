"""What jobs use, and what they have cost: sparklines, ranks side by side, reports, receipts."""
