"""Our own prompts. To go on from the reference's weights, take `Prompts.of_reference`."""

from shards.glamm.prompts import Prompts

WORDING = Prompts(
    opening="<image>\nThis is the photo.\n",
    expression_opening=(
        "<image>\nOne thing in this photo is marked. Say what tells it from all others: what it "
        "is, how it looks, where it is.\n"
    ),
    expression_questions=("<region>",),
    region_questions=(
        "What is in <region>?",
        "Say what <region> shows.",
        "Describe <region>.",
        "What would you call the thing in <region>, and how does it look?",
        "Tell me about <region> of this photo.",
        "Which words fit <region> best?",
    ),
    group_questions=(
        "What do <region> show, taken together?",
        "Put <region> into one sentence.",
        "One sentence about <region>, please.",
        "How do <region> belong together in this photo?",
    ),
    caption_questions=(
        "What does the photo show?",
        "Give the photo a caption.",
        "Sum this photo up.",
        "What is to be seen here?",
        "Tell someone who cannot see the photo what is in it.",
    ),
    grounded_questions=(
        "What does the photo show? Mark everything you name with its mask.",
        "Tell me about this photo, with a mask for each thing that you speak of.",
        "Give a caption, and a mask after each of its phrases that names something in the photo.",
        "Say what is to be seen, and show by masks where.",
    ),
    segment_questions=(
        "Where is {class_name}? Answer with a mask.",
        "Mark {class_name}.",
        "Give me the mask of {class_name}.",
        "Which pixels belong to {class_name}?",
        "Cut out {class_name}, please.",
        "I need {class_name} of this photo as a mask.",
    ),
    segment_answers=("[SEG]", "Here: [SEG].", "This is it: [SEG].", "These pixels: [SEG]."),
)
