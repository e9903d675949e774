include $(sort $(wildcard $(BR2_EXTERNAL_ONEPRESS_PATH)/package/*/*.mk))
