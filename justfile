# The commands of malrule. `./just` works on a bare machine; each recipe sets up what it needs.

# What is typed behind a command reaches it as "$@", word for word: no shell reads it again.
set positional-arguments

# A command says in a sentence what is wrong; the line of just below it would only repeat the status.
set no-exit-message

python := ".venv/bin/python"
# The same for a recipe that stays in the folder in which ./just was called: paths mean what they mean there.
here := "PYTHONSAFEPATH=1 PYTHONPATH=" + quote(justfile_directory()) + " " + quote(join(justfile_directory(), python))
# The same for a recipe that works in the folder of the project and is given paths: they mean what they mean to the caller.
for_caller := "MALRULE_CALLED_FROM=" + quote(invocation_directory()) + " " + python

# List the commands
[private]
default:
    @just --list --unsorted

# Install the pinned packages into .venv: for a GPU where there is one, else for the CPU
setup *hardware:
    @requirements/setup.sh "$@"

# Run both iterations and Kaggle's kernel on generated questions, on two CPU cores, and print what it reached
demo *arguments: setup
    {{python}} -m training demo "$@"

# Lint and run every test, in as many processes as there are cores but four at most; one process with -n 0
test *arguments: lint browser
    OMP_NUM_THREADS=1 {{python}} -m pytest -q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder "$@"

# Try for some minutes what may go wrong: kills, full disks, stopped processes, damaged files: [minutes=60] [seed=0] [kind=NAME]
soak *arguments: setup
    {{python}} -m tests.soak "$@"

# Put a headless Chromium into .tools, for the tests of the report
browser: setup
    @requirements/browser.sh

# Print the licence that every installed package states, those that are not free software first
licences: setup
    @{{python}} requirements/licences.py

# Check style and format
lint: setup
    {{python}} -m ruff check .
    {{python}} -m ruff format --check .

# Download the competition's files with your Kaggle account and check every one of them
data: setup
    {{python}} -m kaggle_kernels data
    {{python}} -m training check-data

# Check the files of a task: [task=eedi] [path=DIR]
check-data *arguments: setup
    @{{for_caller}} -m training check-data "$@"

# Write a first version of a task's definition by looking at your files, and say what was guessed: NAME from=DIR
new-task *arguments: setup
    @{{for_caller}} -m training new-task "$@"

# Make the folder of a new iteration from another one's: iter=2 from=1 [previous=1]
new *arguments: setup
    @{{python}} -m training new "$@"

# Say what `train` would run, and why: iter=1 [split=cv] [as=NAME] [section.key=value ...]
plan *arguments: setup
    @{{python}} -m training plan "$@"

# Bring an iteration, and those before it, up to date: iter=1 [split=cv] [as=NAME] [section.key=value ...]
train *arguments: setup
    {{python}} -m training train "$@"

# Train and evaluate every split that holds data out, and print one table: iter=1 [draws=4] [as=NAME] [section.key=value ...]
cv *arguments: setup
    {{python}} -m training cv "$@"

# Say whether run b is better than run a, and what difference can be seen: a=RUN b=RUN, as runs/iter1/cv, 1 or 1@slow
compare *arguments: setup
    @{{python}} -m training compare "$@"

# Print every run: its figures, seconds, commit and leaderboard score
runs *arguments: setup
    @{{python}} -m training runs "$@"

# Record what the leaderboard showed: iter=1 public=0.505 [private=0.49] [split=full]
lb *arguments: setup
    @{{python}} -m training lb "$@"

# Print what a run cost and reached, and write runs/ITERATION/SPLIT/report.html: [iter=1] [split=cv]
report *arguments: setup
    @{{python}} -m training report "$@"

# Make 4- or 8-bit models of merged ones, and measure what that loses: iter=1 [split=cv] [scheme=awq|gptq|fp8] [role=reranker]
quantize *arguments: setup
    @{{python}} -m training quantize --check "$@"
    @requirements/setup.sh quantize
    {{python}} -m training quantize "$@"

# List labels that may be wrong, double entries and confused pairs, to work through: iter=1 [decided=DIR]
audit-labels *arguments: setup
    @{{for_caller}} -m training audit-labels "$@"

# Tag the rows of a file with entries of the catalogue: FILE iter=1 [k=5] [out=FILE] [split=full]
tag *arguments: setup
    @{{for_caller}} -m training tag "$@"

# Serve tags over HTTP, with a catalogue that is edited meanwhile: iter=1 [port=8000] [host=127.0.0.1] [split=full]
serve *arguments: setup
    @{{python}} -m training serve "$@"

# Make folders that sentence-transformers and vllm serve open, and upload them: iter=1 [split=cv] [role=reranker] [hub=OWNER/NAME]
export-model *arguments: setup
    @{{for_caller}} -m training export-model "$@"

# Write the texts of a run as rationales.csv and explanations.csv, which replay reads: iter=1 [split=cv] [to=DIR]
export-texts *arguments: setup
    @{{for_caller}} -m training export-texts "$@"

# Say what this machine has and what would fail on it, or which training fits: [--profile t4x2] [--model DIR] or --train iter=1 [profile=gpu24]
[no-cd]
doctor *arguments: setup
    @case " $* " in \
        *" --train "*) cd {{quote(justfile_directory())}} && {{python}} -m training doctor "$@" ;; \
        *) {{here}} -m inference doctor "$@" ;; \
    esac

# Choose candidate depth, blend and the offset of never-labelled ids on the evaluated draws cv, cv2, ...: iter=1
calibrate *arguments: setup
    @{{python}} -m training calibrate "$@"

# Draw the stages and what each of them reads, of an iteration with what is done: [iter=1] [split=cv] [as=NAME]
dag *arguments: setup
    @{{python}} -m training dag "$@"

# Write a submission.csv on this machine: --profile h200 --competition DIR --embedder DIR --reranker DIR --out FILE
[no-cd]
predict *arguments: setup
    @{{here}} -m inference predict "$@"

# Upload an iteration's merged models, and its writer, as private Kaggle datasets: iter=1 [vectors=PROFILE|skip] [quantized] [--dry-run]
push-models *arguments: setup
    {{python}} -m kaggle_kernels push-models "$@"

# Upload what the kernel imports, shared/ and inference/, as a private Kaggle dataset
push-code *arguments: setup
    {{python}} -m kaggle_kernels push-code "$@"

# Let Kaggle download the wheels on its own image, for the offline kernel
push-wheels *arguments: setup
    {{python}} -m kaggle_kernels push-wheels "$@"

# Push the offline kernel with the datasets that were pushed, and run it: iter=1
push-kernel *arguments: setup
    {{python}} -m kaggle_kernels.package.notebook
    {{python}} -m kaggle_kernels push-kernel "$@"

# Say how the kernel's run stands: [kernel=submit|wheels] [wait=SECONDS]
kernel-status *arguments: setup
    {{python}} -m kaggle_kernels kernel-status "$@"

# Print what the kernel's run printed: [kernel=submit|wheels]
kernel-logs *arguments: setup
    @{{python}} -m kaggle_kernels kernel-logs "$@"

# Submit the kernel's newest version to the competition and wait for its score: [iter=1] [--dry-run]
submit *arguments: setup
    {{python}} -m kaggle_kernels submit "$@"

# Do all of the pushing in order, then submit; repeat it to go on: iter=1 [--dry-run]
release *arguments: setup
    {{python}} -m kaggle_kernels.package.notebook
    {{python}} -m kaggle_kernels release "$@"

# Delete the output of a stage, or, when you say yes, of a whole run: iter=1 [split=cv] [as=NAME] [stage=NAME]
clean *arguments: setup
    {{python}} -m training clean "$@"

# Print what makes the shell complete these words: eval "$(./just completion)"
completion: setup
    @{{python}} -m training completion

# Write the pages and pictures of docs/ that are made from the code and from what was measured
docs: setup
    {{python}} -m shared.settings.page
    {{python}} -m docs.pictures.draw
    {{python}} -m docs.life_of_a_row
