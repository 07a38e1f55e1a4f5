# SPDX-License-Identifier: Apache-2.0
"""What a crash leaves: kills of the real server, and power cuts of what it wrote (see recorder.c)."""
