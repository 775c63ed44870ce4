"""Command lines of TPU-MLIR become a recipe.

read_script   shell.py      a line or a script: the programs of TPU-MLIR in it, with their options
PROGRAMS      options.py    every option of every program: the key it becomes, or why none
assemble      assemble.py   commands to keys and remarks
recipe_text   recipe.py     the YAML file
stand_in      companions.py what does the work of lines that build nothing
"""

from tpuc.tools.vendor_commands.assemble import Draft, assemble
from tpuc.tools.vendor_commands.companions import stand_in
from tpuc.tools.vendor_commands.recipe import recipe_text
from tpuc.tools.vendor_commands.shell import Command, read_script

__all__ = ["Command", "Draft", "assemble", "read_script", "recipe_text", "stand_in"]
