"""`python -m tui` is `traindeck`."""

import sys

from tui.cli import main

sys.exit(main())
