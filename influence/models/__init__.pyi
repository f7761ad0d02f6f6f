from .cnn import CnnForSequenceClassification as CnnForSequenceClassification
from .encoding import (
    NO_TYPES as NO_TYPES,
    Batch as Batch,
    Encoding as Encoding,
    common_tokens as common_tokens,
    encode as encode,
    few_examples as few_examples,
    length_buckets as length_buckets,
    long_text as long_text,
    of_one_length as of_one_length,
    pad as pad,
    write_encoding as write_encoding,
)
from .first_token import (
    first_token_is_enough as first_token_is_enough,
    quicken as quicken,
    read_first_token_only as read_first_token_only,
)
from .folders import weight_files as weight_files
from .inputs import (
    BATCH_TOKENS as BATCH_TOKENS,
    Padding as Padding,
    check_own_tokens as check_own_tokens,
    check_tokens as check_tokens,
    last_linear as last_linear,
    mask_token as mask_token,
    model_inputs as model_inputs,
    named_inputs as named_inputs,
    padding_of as padding_of,
    padding_token as padding_token,
)
from .model import (
    head_notes as head_notes,
    load_body as load_body,
    load_classifier as load_classifier,
    load_tokenizer as load_tokenizer,
    longest_input as longest_input,
    new_classifier as new_classifier,
    resolve_device as resolve_device,
    save_tokenizer as save_tokenizer,
    supports_pairs as supports_pairs,
    train_word_pieces as train_word_pieces,
)
from .packaged import (
    CNN as CNN,
    DEMO_MODEL as DEMO_MODEL,
    ENCODER_LAYERS as ENCODER_LAYERS,
    GET_DEMO as GET_DEMO,
    SMALL_DATA as SMALL_DATA,
    UsualModel as UsualModel,
    demo_model as demo_model,
    package_folder as package_folder,
    usual_model as usual_model,
)
from .spelling import Spelling as Spelling
from .trainer import Run as Run, read_run as read_run, run_tokenizer as run_tokenizer
from .training import (
    TrainingSettings as TrainingSettings,
    default_settings as default_settings,
    epoch_seed as epoch_seed,
    make_optimizer as make_optimizer,
    shuffled_batches as shuffled_batches,
    train_epoch as train_epoch,
)
from .weights import stored_weights as stored_weights
